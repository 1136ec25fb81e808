"""`zoo serve`: a SavedModel over TensorFlow Serving's REST API, for development and tests.

    model_path       what the EXPORT of the command line means: folder, name, versions
    limits           limits of requests and connections
    server           the socket, signals, start and stop
    connections      bounds the number of connections and the time that each may take
    connection       one connection: limits on headers, and on what surrounds a body
    flow             stops reading from clients that send too much or read too little
    framing          what proxies read differently, and answers without a request
    routes           the table of routes
    app              answers them
    call             a request on its way, and its answer
    hosts            refuses requests for other hosts, or from pages of other sites
    openapi          the server's description
    predictions      `predict`, `classify` and `regress`, from body to answer
    body             reads a request's body, within limits
    json_reader      its JSON, within limits
    protocol         requests and answers of `predict`
    examples         requests and answers of `classify` and `regress`
    tensors          JSON values to arrays, with the API's error messages
    advice           what a refused request probably meant
    example_request  a command that sends the model a request
    signature        inputs and outputs of a signature, as plain data
    image_size       the size of an encoded image, from its header
    image_work       what makes decoding it longer than its size says
    batching         runs requests together on one thread
    queued_request   a request in its queue, and the parts in which it runs
    versions         the folder of versions: loading, hot reload, states
    servable         one loaded version; the only module that runs TensorFlow
    warmup_reader    reads the warm-up requests of an export
    metrics          metrics for Prometheus
    status           the API's errors, and the ids under which the log keeps their causes

`model_path`, `limits`, `hosts` and `routes` are light. The rest needs the extra `serve`, and
`servable` needs TensorFlow.
"""
