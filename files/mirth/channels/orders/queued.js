queuedFile();
return;
