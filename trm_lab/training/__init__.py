"""From a configuration to a trained run: launch, the loop, the update, and the records."""
