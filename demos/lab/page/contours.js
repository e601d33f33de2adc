// Contour lines of a density that is known on a grid of cells, by marching squares.

// For each of the 16 ways in which the corners of a square can lie above a level (bits: lower left,
// lower right, upper right, upper left), the pairs of its edges that a line connects. Edges: 0
// below, 1 right, 2 above, 3 left.
const LINES = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[0, 2]], [[0, 1], [2, 3]], [[1, 2]], [[1, 3]], [[0, 1]], [[3, 0]], [],
];

// Pieces [x, y, x', y'] of the line at a level, in shares of the window, (0, 0) at the lower left.
export function contour({ shape: [rows, columns], values }, level) {
  const pieces = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const i = row * columns + column;
      const corners = [values[i], values[i + 1], values[i + columns + 1], values[i + columns]];
      const way = corners.reduce((bits, value, k) => bits | ((value > level ? 1 : 0) << k), 0);
      for (const [a, b] of LINES[way]) {
        const ends = [...crossing(corners, a, level), ...crossing(corners, b, level)];
        pieces.push(ends.map((at, k) => (k % 2 ? (row + 0.5 + at) / rows : (column + 0.5 + at) / columns)));
      }
    }
  }
  return pieces;
}

// Where the level lies on an edge of the square, between the values of its two corners.
function crossing(corners, edge, level) {
  const share = (from, to) => (level - corners[from]) / (corners[to] - corners[from]);
  if (edge === 0) return [share(0, 1), 0];
  if (edge === 1) return [1, share(1, 2)];
  if (edge === 2) return [share(3, 2), 1];
  return [0, share(0, 3)];
}
