# ml_collections has no types of its own: what is inferred of a ConfigDict's
# fields depends on the order in which files are checked.
from ml_collections import config_dict as config_dict
from ml_collections import config_flags as config_flags
