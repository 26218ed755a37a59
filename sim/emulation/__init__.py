"""What a sweep says about cells it has not simulated: emulator, look-up, inverse and calibration."""
