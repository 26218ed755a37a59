"""Plugin for dclab and DCscope: the measures of Multiplex Image Machine Learning (MIML) in files of mimlab.

    dclab.load_plugin_feature("miml_features.py")
    dclab.new_dataset("cells_squeezed.rtdc")["miml_di"]

In DCscope: Edit, Preferences, Plugins, Add. Of files by others it shows `miml_di_event` alone, measured of their masks.
"""

import numpy as np

STORED = {"miml_di": "userdef0", "miml_max_velocity": "userdef1", "miml_transition_time": "userdef2"}


def stored_by_mimlab(rtdc_ds):
    """Return whether the user-defined features of a file are those of mimlab."""
    return "user" in rtdc_ds.config and "miml userdef0" in rtdc_ds.config["user"]


def can_be_shown(rtdc_ds):
    """Return whether there is anything to show."""
    return stored_by_mimlab(rtdc_ds) or "mask" in rtdc_ds


def measure(rtdc_ds):
    """Return the features of all events, NaN where a file has them not."""
    nothing = np.full(len(rtdc_ds), np.nan)
    found = {name: nothing for name in STORED}
    if stored_by_mimlab(rtdc_ds):
        found = {name: np.asarray(rtdc_ds[own]) for name, own in STORED.items() if own in rtdc_ds}
    found["miml_di_event"] = np.array([of_mask(mask) for mask in rtdc_ds["mask"]]) if "mask" in rtdc_ds else nothing
    return {name: found.get(name, nothing) for name in info["feature names"]}


def of_mask(mask):
    """Return (a - b)/(a + b) of the bounding box of a mask, a along the channel."""
    mask = np.asarray(mask) != 0
    if not mask.any():
        return np.nan
    a, b = (np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1))
    return (a - b) / (a + b)


info = {
    "method": measure,
    "description": "Deformation index, maximum velocity and transition time of MIML",
    "long description": "Islam et al., arXiv 2309.08421: DI = (a - b)/(a + b) of the bounding box, a along the "
    "channel. miml_di is the largest in the constriction, miml_di_event that of the event's mask; neither is "
    "1 - circularity.",
    "feature names": [*STORED, "miml_di_event"],
    "feature labels": [
        "MIML deformation index",
        "MIML maximum velocity [m/s]",
        "MIML transition time [s]",
        "Deformation index of the mask",
    ],
    "method check required": can_be_shown,
    "version": "1.0.0",
}
