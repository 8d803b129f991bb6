"""What requests and answers hold, whatever way they come: messages, validation, formats."""
