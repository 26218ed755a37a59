"""What the figures say that explain, baselines, ablation, curve and transfer leave as PNG."""

CAPTIONS = {
    "confusion": "Cells of each class taken for which: counts and shares of the true class, training and test cells.",
    "roc": "ROC curves of training and test cells with a 95 % bootstrap band; rates are shares of the cells.",
    "folds": "Accuracy (share of the cells) of each fold on training, validation and test cells.",
    "history": "Cross-entropy (nats) and accuracy on validation cells by epoch; the dot is the model kept.",
    "calibration": "How often the model is right by how sure it is, as trained and after temperature scaling; "
    "numbers are cells.",
    "abstention": "Share of the test cells left unanswered, and share of right answers, by the risk allowed.",
    "latent": "Map (t-SNE) of what the last layer sees of each cell, and pictures from some places of it.",
    "density": "Density of each feature by class; each curve has the area 1 on the axis drawn.",
    "violins": "Distribution of each feature by class.",
    "samples": "Sample pictures of each class and view.",
    "first_layer": "What each filter of the first layer makes of one test cell.",
    "grad_cam": "Where the evidence for the predicted class lies in test cells (Grad-CAM), last two stages.",
    "attribution": "How much picture and mechanics add to each decision on a test cell (probability).",
    "scatter": "Each pair of features, classes in colour; r is Pearson’s correlation, over all cells and "
    "within each class.",
    "correlation": "Correlations (Pearson, below the diagonal) and p-values (above), over all cells and by class.",
    "regression": "Slope of one feature over another with its standard error, by class.",
    "regions": "Where each classifier, trained on every cell, sees which class.",
    "comparison": "Accuracy of every model on all features: folds, mean and standard deviation; marks say how sure "
    "the distance from the network is (** p < 0.01, *** p < 0.001).",
    "metrics": "Scores of each model on held-out cells: folds, mean and standard deviation.",
    "ablation": "Accuracy of the ten networks: folds, mean and standard deviation; dashes are the paper’s figures.",
    "curve": "Accuracy on held-out cells over the number of training cells, with and without simulated ones.",
    "transfer": "Accuracy on held-out cells of the new classes: draws, mean and standard deviation.",
}
"""Caption by file name without its ending."""

CELLWISE = frozenset(
    ("latent", "samples", "first_layer", "grad_cam", "attribution", "history", "roc", "regions", "density", "scatter")
)
"""Tables with a row for each cell, pixel or point of a curve, which a page does not repeat."""
