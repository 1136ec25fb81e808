"""Sends what happens in a run or a search to MLflow, TensorBoard, Weights & Biases or a CSV file.

The run folder is the source of all that is sent, and trackers.json in it says what a tracker has.
So nothing is lost while a server is away: what is missing is sent at the next epoch, at the end, by
`zoo train --resume`, or by `zoo log`.

    names.py        the words of --log, and the packages that they need
    record.py       what a tracker is told, read from a folder
    contract.py     what a tracker does: `Tracker`
    sender.py       brings a tracker up to a folder's state: `Sender`
    session.py      the side of the training: `Tracking`
    sender_process.py  the process that talks to servers while a training runs
    csv_tracker.py, tensorboard_tracker.py, mlflow_tracker.py, wandb_tracker.py
    troubles.py     what went wrong with a server, in a sentence
    mlflow_model.py the exported model as MLflow keeps it; mlflow_loader.py opens it again

Trackers that write files here do so in the training's process, at the end of an epoch. Those that
talk to a server do it in a process of their own: no import, signal handler, thread or wait of
theirs reaches the training.
"""
