"""`zoo serve`: a SavedModel over TensorFlow Serving's REST API, for development and tests.

    place       what the EXPORT of the command line means: folder, name, versions
    status      the API's errors: gRPC's codes, HTTP's codes, the body
    signature   what a signature takes and gives, in plain data
    tensors     JSON values to arrays, with the API's refusals
    protocol    whole requests and answers of `predict`
    examples    those of `classify` and `regress`
    images      how large an encoded image is, from its header alone
    batching    requests together through one thread
    warmup      the requests that an export brings along to be run first
    servable    one loaded version: the one place that runs TensorFlow
    versions    the folder of versions: loading, hot reload, states
    metrics     what Prometheus reads
    app         routes
    body        a request's body, as far as is allowed
    connection  a bound on what comes before it
    server      the socket, signals, start and stop

Light here and in `place`; the rest needs the extra `serve`, and `servable` TensorFlow.
"""
