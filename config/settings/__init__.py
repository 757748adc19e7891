"""Settings of the reference deployment: ``base`` builds, ``dev``, ``test`` and ``prod`` choose."""
