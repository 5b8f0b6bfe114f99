// Preprocessor: bytes → text. Bytes that contradict MSH-18 are an ERROR here, which is answered AE, and nobody else tells the sink.
try {
    return decodeBytes(message);
} catch (e) {
    toSink(message, 'report: ' + reasonOf(e));
    throw e;
}
