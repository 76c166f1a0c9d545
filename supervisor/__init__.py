"""The core of Quarterdeck: model, store, engine, API and command line."""
