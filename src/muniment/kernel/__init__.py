"""What every room stands on: contracts, problems, calls, data and telemetry. Knows no room."""
