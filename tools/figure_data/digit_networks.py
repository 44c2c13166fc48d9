"""For the drawing board: three trained networks, and what the records say of their accuracy."""

from drsn_lib import records
from drsn_lib.widgets._network import export

RECIPE = "mnist-snr"
VARIANTS = ("resnet", "senet", "drsn-cw")
# Trained in Gaussian noise of every level from 15 to -10 dB.
TRAINED_IN = {"noise": "mixed"}


def networks():
    """The networks of random seed 0, by variant."""
    return {
        variant: export(records.load_model(RECIPE, variant, seed=0, budget="modern", condition=TRAINED_IN))
        for variant in VARIANTS
    }


def accuracies():
    """Test accuracy by noise level, mean and standard deviation over random seeds; at 20 dB stands no noise.

    `best` is the network that is clearly ahead, or `"none"`: where the gap to the next is no larger than twice its
    standard error over the random seeds.
    """
    table = records.probe_table(records.load_records(RECIPE, budget="modern"))
    table = table[(table["trained_noise"] == "mixed") & table["variant"].isin(VARIANTS)]
    counts = {table[table["variant"] == variant]["seed"].nunique() for variant in VARIANTS}
    if len(counts) != 1:
        raise ValueError(f"The three networks must have records of as many random seeds. Received: {counts}")
    seeds, levels = counts.pop(), []
    table = table[table["snr_db"] != 20].fillna({"snr_db": 20})
    for snr, rows in table.groupby("snr_db"):
        scores = rows.groupby("variant")["test_accuracy"]
        mean, sd = ({v: float(found[v]) for v in VARIANTS} for found in (scores.mean(), scores.std(ddof=1)))
        first, second = sorted(VARIANTS, key=lambda variant: -mean[variant])[:2]
        error = ((sd[first] ** 2 + sd[second] ** 2) / seeds) ** 0.5
        best = first if mean[first] - mean[second] > 2 * error else "none"
        mean, sd = ({v: round(found[v], 4) for v in VARIANTS} for found in (mean, sd))
        levels.append({"snr": float(snr), "mean": mean, "sd": sd, "best": best})
    trained = [int(table[f"trained_{end}_db"].iloc[0]) for end in ("low", "high")]
    return {"levels": levels, "seeds": int(seeds), "trained_db": trained}


def build():
    """What drsn_lib/widgets/data/digit_networks.json holds."""
    return {"networks": networks(), "accuracies": accuracies()}
