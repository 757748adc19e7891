"""The parts of the plugins' benchmark; each measures its contenders in turn and yields goals."""
