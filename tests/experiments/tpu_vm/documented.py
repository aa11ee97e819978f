# Copyright 2026 The gd_jax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The flags of the gcloud commands that are used, and of no others.

From https://cloud.google.com/sdk/gcloud/reference (compute/tpus and storage)
and the Google Cloud CLI 528.0.0, general release.
"""

_WIDE = {"--project": True, "--format": True, "--quiet": False}
_PLACE = {"--zone": True, **_WIDE}
_SSH = {
  "--dry-run": False,
  "--force-key-file-overwrite": False,
  "--internal-ip": False,
  "--plain": False,
  "--ssh-key-file": True,
  "--ssh-key-expiration": True,
  "--ssh-key-expire-after": True,
  "--strict-host-key-checking": True,
  "--worker": True,
}
# Command -> flag -> whether it has a value.
FLAGS: dict[str, dict[str, bool]] = {
  "compute tpus queued-resources create": {
    **_PLACE,
    "--accelerator-type": True,
    "--async": False,
    "--boot-disk": True,
    "--data-disk": True,
    "--description": True,
    "--guaranteed": False,
    "--internal-ips": False,
    "--labels": True,
    "--metadata": True,
    "--metadata-from-file": True,
    "--network": True,
    "--node-count": True,
    "--node-id": True,
    "--node-prefix": True,
    "--range": True,
    "--reservation-host-folder": True,
    "--reservation-host-organization": True,
    "--reservation-host-project": True,
    "--reserved": False,
    "--runtime-version": True,
    "--scopes": True,
    "--service-account": True,
    "--shielded-secure-boot": False,
    "--spot": False,
    "--subnetwork": True,
    "--tags": True,
    "--topology": True,
    "--type": True,
    "--valid-after-duration": True,
    "--valid-after-time": True,
    "--valid-until-duration": True,
    "--valid-until-time": True,
  },
  "compute tpus queued-resources describe": _PLACE,
  "compute tpus queued-resources delete": {
    **_PLACE,
    "--async": False,
    "--force": False,
  },
  "compute tpus tpu-vm describe": _PLACE,
  "compute tpus tpu-vm ssh": {
    **_PLACE,
    **_SSH,
    "--command": True,
    "--output-directory": True,
    "--ssh-flag": True,
  },
  "compute tpus tpu-vm scp": {
    **_PLACE,
    **_SSH,
    "--compress": False,
    "--recurse": False,
    "--scp-flag": True,
  },
  "storage rsync": {
    **_WIDE,
    "--additional-headers": True,
    "--canned-acl": True,
    "--checksums-only": False,
    "--continue-on-error": False,
    "--delete-unmatched-destination-objects": False,
    "--dry-run": False,
    "--exclude": True,
    "--no-clobber": False,
    "--no-ignore-symlinks": False,
    "--recursive": False,
    "--skip-unsupported": False,
  },
}
NEEDED = {
  "compute tpus queued-resources create": [
    "--accelerator-type",
    "--node-id",
    "--runtime-version",
    "--zone",
  ],
}
