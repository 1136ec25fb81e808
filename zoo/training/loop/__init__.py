"""The two loops of training steps behind `keras.Model.fit`.

The *host loop* makes each batch in Python and starts each step on its own. The *device loop* keeps
all images on the device and makes many steps in one call of a compiled program: the host draws
random numbers, and the device gathers, augments and trains. Images that do not fit are streamed:
the host decodes the next batches, and the device does the rest. `choose` says which loop a training
takes. Both loops make the same batches.
"""
