"""ACI-Bench: clinical notes from doctor-patient dialogues."""
