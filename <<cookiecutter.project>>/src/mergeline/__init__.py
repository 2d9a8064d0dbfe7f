"""The loop: trains on a pull request, judges, releases and serves. Changes come from template updates."""
