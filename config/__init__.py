"""The reference deployment of this repository, made the way ``platformctl init`` makes one."""
