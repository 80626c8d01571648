"""Log files of runs: format, writer, reader, index, and several files read as one."""
