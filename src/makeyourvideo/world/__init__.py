"""The synthetic world: seeded scenes with exact depth, masks, flow and captions."""
