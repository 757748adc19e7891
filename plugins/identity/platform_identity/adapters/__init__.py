"""What connects identity with the sign-in library; nothing else imports it."""
