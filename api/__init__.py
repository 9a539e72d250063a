"""The service over HTTP and on the command line: parse, call one function of the engine, shape the answer."""
