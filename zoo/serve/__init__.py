"""`zoo serve`: a SavedModel over TensorFlow Serving's REST API, for development and tests.

    model_path     what the EXPORT of the command line means: folder, name, versions
    server         the socket, signals, start and stop
    connection     limits the size of a request's line and headers
    app            routes
    body           reads a request's body, within a limit
    protocol       requests and answers of `predict`
    examples       requests and answers of `classify` and `regress`
    tensors        JSON values to arrays, with the API's error messages
    signature      inputs and outputs of a signature, as plain data
    image_size     the size of an encoded image, from its header
    batching       runs requests together on one thread
    versions       the folder of versions: loading, hot reload, states
    servable       one loaded version; the only module that runs TensorFlow
    warmup_reader  reads the warm-up requests of an export
    metrics        metrics for Prometheus
    status         the API's errors

`model_path` is light. The rest needs the extra `serve`, and `servable` needs TensorFlow.
"""
