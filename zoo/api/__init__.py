"""What `import zoo` offers: a function for each verb, and results that notebooks show.

Users say `zoo.train(...)`, never `zoo.api...`; `zoo/__init__.py` names what they find. Nothing of
NumPy, pandas, Keras or TensorFlow is imported until a function needs it.

    recipes.py      load; a recipe given as a name, a path, text, a map or a `Recipe`
    data.py         data: the images of a recipe, as arrays or in batches
    models.py       build: the model as a training starts from it
    training.py     train
    run.py          run: history, model, evaluation, predictions, exports; runs.py several runs
    checking.py     check
    searching.py    tune, search: the only module of zoo, beside its verb, that imports `tuning`
    results.py      what an evaluation, a prediction and an export give
    images.py       arrays and images of Pillow as a model takes them
    telling.py      how a verb talks to a Python program or a notebook
    arguments.py    arguments that come in one of several forms
    backend.py      the backend and the device, chosen once in a process
    html.py         tables for notebooks; recipe_html.py a recipe's
"""
