pollDone(resultMap);
