"""Slow, obvious twins of nodes with mass in a flow: trilinear friction, soft-sphere walls, the order of a step."""

import naive
import numpy as np


def corners(x, interior, periodic):
    """Yield lattice indices (3,) and weight of the 8 nodes around a point."""
    low = np.floor(x).astype(int)
    for offset in np.ndindex(2, 2, 2):
        index = low + offset
        weight = np.prod(np.where(offset, x - low, 1 - (x - low)))
        yield tuple(np.where(periodic, (index - 1) % interior + 1, index)), weight


def wall_forces(x, planes, prisms, period, energy, exponent, cutoff):
    """Return the forces (V, 3) of all walls and the smallest distance of a node; convex prisms are sampled densely."""
    force, smallest = np.zeros_like(x), np.inf
    for k, point in enumerate(x):
        walls = [(side * (point[int(axis)] - at), side * np.eye(3)[int(axis)]) for axis, at, side in planes]
        for prism in prisms:
            middle = (prism[:, 0].min() + prism[:, 0].max()) / 2
            at = np.array([point[0] - period * np.round((point[0] - middle) / period), point[1]])
            walls.append(polygon_distance(at, prism))
        for d, normal in walls:
            smallest = min(smallest, d)
            if 0 < d < cutoff:
                force[k] += energy * exponent / d ** (exponent + 1) * normal
    return force, smallest


def polygon_distance(point, corner):
    """Return the distance of a point outside a convex polygon (n, 2) and the direction away from it (3,)."""
    import shapely

    polygon = shapely.Polygon(corner)
    outside = not polygon.contains(shapely.Point(point))
    ring = polygon.exterior
    near = np.array(ring.interpolate(ring.project(shapely.Point(point))).coords[0])
    away = point - near if outside else near - point
    distance = np.linalg.norm(away)
    return (distance if outside else -distance), np.array([*(away / distance), 0.0])


class Twin:
    """A membrane and a flow whose box of nodes is `fluid` (X, Y, Z), one layer of walls or periodic images around."""

    def __init__(self, lattice, fluid, periodic, omega, drive, mass, friction, x, forces):
        self.lattice, self.interior, self.periodic = lattice, np.array(fluid.shape), np.array(periodic)
        # Walls around the box keep the rolls of `naive.stream` apart where nothing is periodic.
        self.pad = tuple((0, 0) if p else (1, 1) for p in periodic)
        self.fluid = np.pad(fluid, self.pad)
        self.omega, self.drive, self.mass, self.friction = omega, np.array(drive), mass, friction
        self.f = naive.equilibrium(lattice, np.ones(self.fluid.shape), np.zeros((*self.fluid.shape, 3)))
        self.f[:, ~self.fluid] = 0
        self.x, self.v, self.forces = x.copy(), np.zeros_like(x), forces
        self.force = forces(x, self.v)

    def place(self, index):
        """Return where a node of the grid, counted from 1 in the box, lies in the arrays."""
        return tuple(i - (1 if p else 0) for i, p in zip(index, self.periodic, strict=True))

    def step(self, half_force=False, damping=1.0):
        """Take a step; with `half_force` the flow is read with half of the drive, which ESPResSo does not."""
        self.v += 0.5 * self.force / self.mass
        self.x += self.v
        self.force = self.forces(self.x, self.v)
        density = self.f.sum(axis=0)
        momentum = np.einsum("qd,q...->...d", self.lattice.c, self.f) + (0.5 * self.drive if half_force else 0)
        flow = np.where(self.fluid[..., None], momentum / np.where(self.fluid, density, 1)[..., None], 0)
        field = np.where(self.fluid[..., None], self.drive, 0.0)
        for k, point in enumerate(self.x):
            near = [(self.place(index), weight) for index, weight in corners(point, self.interior, self.periodic)]
            u = sum(weight * flow[index] for index, weight in near)
            whole = damping * (self.force[k] + self.friction * (u - self.v[k]))
            for index, weight in near:
                field[index] -= weight * (whole - self.force[k])
            self.force[k] = whole
        self.v += 0.5 * self.force / self.mass
        padded = np.where(self.fluid, self.f, self.lattice.w[:, None, None, None])
        after, _ = naive.collide(self.lattice, padded, field, *self.omega)
        self.f, _ = naive.stream(self.lattice, after, self.fluid)
