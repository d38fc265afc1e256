/** Whole lives of files per second: one statement an event, against one statement a row change. */
