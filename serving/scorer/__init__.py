"""One process a device owns the engines; workers send it packed arrays through shared memory and get scores back."""
