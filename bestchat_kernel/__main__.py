"""`python -m bestchat_kernel`: start the BestChat kernel, as its kernel spec says."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # What lies in a notebook's folder must not be taken for a module that the kernel is made of;
    # IPython puts the folder back once everything is loaded.
    if Path(sys.path[0]) == Path.cwd():
        del sys.path[0]

    from bestchat_kernel.kernel.app import main

    main()
