"""Starts threads that never end until no more can be started.

The limit on processes counts threads too; its error is the cell's.
"""
# score: 100
# says: can't start new thread

# cell: before MLP
import threading

threads = []
wait = threading.Event()
while True:
    threads.append(threading.Thread(target=wait.wait, daemon=True))
    threads[-1].start()

# cell: before MLP
wait.set()
