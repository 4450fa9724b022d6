"""Check a proof of a least eigenvalue with integers alone: no NumPy, no floats, no package.

`hermite_dual.exact_proof(G, value)` makes such proofs. Usage: python check_an_exact_proof.py PROOF.json
"""

import json
import sys
from operator import mul


def integers(*lists):
    """Whether all elements are integers; `True` is none."""
    return all(type(x) is int for row in lists for x in row)


def check(proof):
    """Return whether a proof proves its statement; anything that is not understood is no proof."""
    try:
        return is_proven(proof)
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def is_proven(proof):
    """Return whether a proof proves its statement.

    With M = matrix - diag(row_errors) - value I, T^T M T strictly diagonally dominant with a positive diagonal is
    positive definite (Gershgorin), so T is regular and M positive definite. For symmetric D = B - matrix,
    |x^T D x| <= sum_ij |D_ij| (x_i^2 + x_j^2)/2 = sum_i x_i^2 sum_j |D_ij|, so B - value I is positive definite too.
    """
    matrix, errors, columns = proof["matrix"], proof["row_errors"], proof["congruence"]
    (numerator, denominator), exponent, n = proof["value"], proof["exponent"], len(matrix)
    sizes = [len(row) for row in matrix] == [len(column) for column in columns] == list(range(1, n + 1))
    whole = integers(*matrix, errors, *columns, [numerator, denominator, exponent])
    if not (sizes and whole and n == len(errors) > 0 and min(errors) >= 0 and denominator > 0 and exponent >= 0):
        return False
    # M times 2^exponent and the denominator of the value
    M = [[denominator * (matrix[max(i, j)][min(i, j)]) for j in range(n)] for i in range(n)]
    for i in range(n):
        M[i][i] -= denominator * errors[i] + numerator * 2**exponent
    products = [[sum(map(mul, row, column)) for row in M] for column in columns]
    for i, column in enumerate(columns):
        row = [sum(map(mul, column, product)) for product in products]
        if not 2 * row[i] > sum(map(abs, row)):
            return False
    return True


# [[2, 1], [1, 2]] has the eigenvalues 1 and 3
EXAMPLE = {
    "exponent": 0,
    "value": [9, 10],
    "matrix": [[2], [1, 2]],
    "row_errors": [0, 0],
    "congruence": [[2], [-10, 11]],
}

if __name__ == "__main__":
    given = EXAMPLE
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            given = json.load(file)
    verdict = check(given)
    print(given.get("statement", "lambda_min([[2, 1], [1, 2]]) > 9/10"))
    print(f"value = {given['value'][0]}/{given['value'][1]}: {'PROVEN' if verdict else 'NOT PROVEN'}")
    sys.exit(not verdict)
