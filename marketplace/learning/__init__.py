"""Tasks, data, splits, local training, evaluation. torch is imported when it is used."""
