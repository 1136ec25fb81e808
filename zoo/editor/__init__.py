"""What editors read and what is written into a user's recipe: schema, first line, single values.

schema_file.py  writes the schema of recipes beside them
modeline.py     the first line of a recipe, which names its schema
recipe_edit.py  sets a value of a recipe in its text; edit.py and tree.py do that to any YAML
user_file.py    replaces a file, unless somebody else has changed it
"""
