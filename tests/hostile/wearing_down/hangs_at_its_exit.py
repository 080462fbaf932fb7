"""Registers exit functions, signal handlers and threads that keep the process from ending.

Kernels are not asked to end: they are ended.
"""
# score: 100
# says: registered

# cell: before MLP
import atexit
import signal
import threading
import time


def stay(*ignored):
    while True:
        time.sleep(1)


atexit.register(stay)
signal.signal(signal.SIGTERM, stay)
signal.signal(signal.SIGHUP, stay)
threading.Thread(target=stay).start()
get_ipython().kernel.do_shutdown = stay
get_ipython().kernel.shutdown_request = stay
print("registered")
