"""Run the reality check: `python -m pipelines.research.reality [--real FOLDER]`."""

from pipelines.research.reality.run import main

if __name__ == "__main__":
    main()
