"""`python -m bench.drink PORT`: a client that takes all a flooding tool gives, until it is killed or all is taken."""

import sys

from .peers import call, dial, http1_request

connection = dial(int(sys.argv[1]), None)
connection.sendall(http1_request(int(sys.argv[1]), call("flood", items=10_000_000, size=100)))
while connection.recv(1 << 20):
    pass
