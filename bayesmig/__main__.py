"""``python -m bayesmig`` is the command line."""

from bayesmig.cli import main

if __name__ == "__main__":
    main()
