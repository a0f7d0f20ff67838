"""MCP over standard input and output: one client, which started this process, and one message a line.

descriptors.py  what the process got from its client is put aside, so that no tool can read or write it
lines.py        bytes to lines, bounded
threads.py      the two threads that read and write, so that no client blocks the event loop
connection.py   a line to what becomes of it: the era, the request, its cancellation
serving.py      the life of the process: start, end of input, signals, a parent that is gone
"""
