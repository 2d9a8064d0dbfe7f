"""What an experiment showed: `model experiment report` reads it from the prediction log and from labels that came later."""
