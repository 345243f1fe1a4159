"""What the probe's child is, in a test: a loader that aborts."""

import os

if __name__ == "__main__":
    os.abort()
