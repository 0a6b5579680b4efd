"""`python -m makeyourvideo`."""

from makeyourvideo.cli import main

if __name__ == "__main__":
    main()
