"""What a trainer may point `--data` at: a module for each format, all behind `source.Source`; `opening` picks one."""
