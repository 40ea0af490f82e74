#!/usr/bin/python3
"""SVMClassifier and SVMRegressor (ai.onnx.ml) from scikit-learn 1.2.1's SVC, SVR and OneClassSVM (Debian 12), written
as skl2onnx and onnxruntime understand them. Per folder: the ONNX file, its input x, what scikit-learn answers (one
file per output name), and the same numbers, rounded to float32 as the file has them, evaluated here in float64."""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn import datasets, svm
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).parent


def rounded(values):
    return np.asarray(values, np.float32).astype(np.float64)


def kernel(model, x):
    """The kernel matrix of rows and support vectors, and its parameters."""
    s = rounded(model.support_vectors_)
    gamma, coef0, degree = rounded([model._gamma, model.coef0, model.degree])
    products = x @ s.T
    values = {"linear": lambda: products, "poly": lambda: (gamma * products + coef0) ** degree,
              "rbf": lambda: np.exp(-gamma * ((x[:, None, :] - s[None]) ** 2).sum(2)),
              "sigmoid": lambda: np.tanh(gamma * products + coef0)}[model.kernel]()
    return values, [gamma, coef0, degree]


def pair_scores(model, k):
    """libsvm's scores of the pairs of classes."""
    counts, coefficients, rho = model.n_support_, rounded(model._dual_coef_), rounded(model._intercept_)
    begins = np.concatenate([[0], np.cumsum(counts)])
    scores = []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            of_i, of_j = slice(begins[i], begins[i + 1]), slice(begins[j], begins[j + 1])
            scores.append(k[:, of_i] @ coefficients[j - 1, of_i] + k[:, of_j] @ coefficients[i, of_j] + rho[len(scores)])
    return np.stack(scores, 1)


def couple(pairs, classes):
    """libsvm's multiclass_probability."""
    r = np.zeros((classes, classes))
    index = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            r[i, j], r[j, i] = pairs[index], 1 - pairs[index]
            index += 1
    q = -r.T * r
    np.fill_diagonal(q, (r ** 2).sum(0))
    p = np.full(classes, 1 / classes)
    for _ in range(max(100, classes)):
        qp = q @ p
        pqp = p @ qp
        if np.abs(qp - pqp).max() < 0.005 / classes:
            break
        for t in range(classes):
            step = (pqp - qp[t]) / q[t, t]
            p[t] += step
            pqp = (pqp + step * (step * q[t, t] + 2 * qp[t])) / (1 + step) ** 2
            qp = (qp + step * q[t]) / (1 + step)
            p /= 1 + step
    return p


def save(name, op, attributes, x, outputs):
    """outputs: name -> (scikit-learn's answer, float64's), the labels' type first."""
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    types = {"f": TensorProto.FLOAT, "d": TensorProto.DOUBLE, "q": TensorProto.INT64, "l": TensorProto.INT64,
             "i": TensorProto.INT32, "U": TensorProto.STRING}
    values = []
    for output, (answer, exact) in outputs.items():
        values.append(helper.make_tensor_value_info(output, types[answer.dtype.char], None))
        if answer.dtype.char != "U":
            np.save(folder / f"{output}.npy", answer)
            if exact is not None:
                np.save(folder / f"{output}_f64.npy", exact)
    np.save(folder / "x.npy", x)
    node = helper.make_node(op, ["x"], list(outputs), domain="ai.onnx.ml", name="svm", **attributes)
    graph = helper.make_graph([node], name, [helper.make_tensor_value_info("x", types[x.dtype.char], ["N", x.shape[1]])],
                              values)
    model = helper.make_model(graph, ir_version=7, opset_imports=[helper.make_opsetid("", 13),
                                                                  helper.make_opsetid("ai.onnx.ml", 1)])
    onnx.save(model, folder / "model.onnx")


def classifier(name, model, features, target, x):
    model.fit(features, target)
    k, params = kernel(model, x.astype(np.float64))
    classes = len(model.classes_)
    scores = pair_scores(model, k)
    names = model.classes_.dtype.kind == "U"
    attributes = {
        "classlabels_strings" if names else "classlabels_ints": model.classes_.tolist(),
        "coefficients": model._dual_coef_.ravel().tolist(), "kernel_params": params, "kernel_type": model.kernel.upper(),
        "post_transform": "NONE", "rho": model._intercept_.tolist(),
        "support_vectors": model.support_vectors_.ravel().tolist(), "vectors_per_class": model.n_support_.tolist()}
    if model.probability:
        attributes.update(prob_a=model.probA_.tolist(), prob_b=model.probB_.tolist())
        z = scores * rounded(model.probA_) + rounded(model.probB_)
        pairs = np.clip(1 / (1 + np.exp(z)), 1e-7, 1 - 1e-7)
        answer, exact = model.predict_proba(x), np.stack([couple(row, classes) for row in pairs])
    elif classes == 2:
        s = -model.decision_function(x)
        answer, exact = np.stack([-s, s], 1), np.concatenate([-scores, scores], 1)
    else:
        answer, exact = model.decision_function(x), scores
    save(name, "SVMClassifier", attributes, x,
         {"label": (model.predict(x), None), "y": (answer.astype(np.float32), exact)})


def regressor(name, model, features, target, x):
    model.fit(features, target)
    k, params = kernel(model, x.astype(np.float64))
    exact = k @ rounded(model._dual_coef_)[0] + rounded(model._intercept_)[0]
    one_class = isinstance(model, svm.OneClassSVM)
    answer = model.predict(x).astype(np.float32)[:, None]
    save(name, "SVMRegressor", {
        "coefficients": model._dual_coef_.ravel().tolist(), "kernel_params": params, "kernel_type": model.kernel.upper(),
        "n_supports": len(model.support_vectors_), "one_class": int(one_class), "rho": model._intercept_.tolist(),
        "support_vectors": model.support_vectors_.ravel().tolist()}, x,
         {"y": (answer, None if one_class else exact[:, None])})


cancer = datasets.load_breast_cancer()
cancer_x = StandardScaler().fit_transform(cancer.data)
wine = datasets.load_wine()
wine_x = StandardScaler().fit_transform(wine.data)
digits = datasets.load_digits()
diabetes = datasets.load_diabetes()
diabetes_x = StandardScaler().fit_transform(diabetes.data)
some = np.s_[:150]
classifier("rbf_binary_probability", svm.SVC(probability=True, random_state=0), cancer_x[some], cancer.target[some],
           cancer_x[150:200].astype(np.float32))
classifier("linear_binary_scores", svm.SVC(kernel="linear"), cancer_x[some], cancer.target[some] + 5,
           cancer_x[150:200].astype(np.float32))
classifier("poly_three_probability", svm.SVC(kernel="poly", coef0=1, probability=True, random_state=0), wine_x[::2],
           wine.target[::2], wine_x[1::2])
classifier("sigmoid_three_names", svm.SVC(kernel="sigmoid", gamma=0.02, decision_function_shape="ovo"), wine_x[::2],
           wine.target_names[wine.target[::2]], wine_x[1::2].astype(np.float32))
classifier("rbf_ten_probability_int", svm.SVC(probability=True, random_state=0), digits.data[some],
           digits.target[some], digits.data[150:200].astype(np.int32))
regressor("svr_rbf", svm.SVR(C=10), diabetes_x[some], diabetes.target[some] / 100, diabetes_x[150:200].astype(np.float32))
regressor("svr_poly", svm.SVR(kernel="poly", degree=2, coef0=0.5), diabetes_x[some], diabetes.target[some] / 100,
          diabetes_x[150:200])
regressor("one_class", svm.OneClassSVM(nu=0.2), diabetes_x[some], None, diabetes_x[150:200].astype(np.float32))
