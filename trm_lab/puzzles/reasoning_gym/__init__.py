"""Questions of the library reasoning-gym: builder, scorer, and the process of its own in which the library runs."""
