"""Limits of portrait.py; imports nothing, so that the command's help does not load PyTorch."""

# From which value on a finding is worth a sentence; sonic_nodes/gate/thresholds.py has the other profiles' limits.
# bench/portraits.py measures hits and false alarms of all of them.
# 95th percentile of the face's luma; of dark skin in daylight it is 90 and more, of night shots below 50
DARK_LEVEL = 70
BURNT_SHARE = 0.25  # of the face at 250 levels and more; 0.17 is the most in 1,100 good portraits
SIDEWAYS_DEG, UPSIDE_DOWN_DEG = 50.0, 135.0  # a head may be tilted by 30 degrees and more
# Of the mesh's points, or of those of the lips; a tight frame that cuts forehead, chin or ear misses up to 0.12.
MISSING_SHARE = 0.15
MOUTH_COVERED = 1.0  # log odds of assets/mouth.json; 1 of 1,100 visible mouths that are no profile reaches it
