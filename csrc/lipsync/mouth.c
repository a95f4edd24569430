#include "lipsync/mouth.h"

#include <math.h>
#include <string.h>

#define CLOSED_GAP 0.02 /* the noise of closed lips in the mesh is half of it */
#define JACOBI_SWEEPS 30

const int16_t sonic_lipsync_rigid_point[SONIC_LIPSYNC_RIGID_POINTS] = {SONIC_LANDMARKS_RIGID};

static const int16_t mouth_point[SONIC_LIPSYNC_MOUTH_POINTS] = {SONIC_LANDMARKS_LIPS_OUTER, SONIC_LANDMARKS_LIPS_INNER,
                                                                SONIC_LANDMARKS_CHIN_AREA};

/* Maps p to scale * matrix * (p - from) + to. */
typedef struct similarity {
    double matrix[3][3], scale, from[3], to[3];
} similarity;

/* One Jacobi rotation of `a` that zeroes a[p][q]; `v` collects the eigenvectors. */
static void jacobi_rotate(double a[4][4], double v[4][4], int p, int q)
{
    if (fabs(a[p][q]) < 1e-300)
        return;
    double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
    for (int k = 0; k < 4; k++) {
        double x = a[k][p], y = a[k][q];
        a[k][p] = c * x - s * y, a[k][q] = s * x + c * y;
    }
    for (int k = 0; k < 4; k++) {
        double x = a[p][k], y = a[q][k];
        a[p][k] = c * x - s * y, a[q][k] = s * x + c * y;
        x = v[k][p], y = v[k][q];
        v[k][p] = c * x - s * y, v[k][q] = s * x + c * y;
    }
}

/* The eigenvector of the largest eigenvalue of a symmetric matrix, by cyclic Jacobi rotations; overwrites `a`. */
static void largest_eigenvector(double out[4], double a[4][4])
{
    double v[4][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (int sweep = 0; sweep < JACOBI_SWEEPS; sweep++)
        for (int p = 0; p < 3; p++)
            for (int q = p + 1; q < 4; q++)
                jacobi_rotate(a, v, p, q);
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (a[i][i] > a[best][best])
            best = i;
    for (int i = 0; i < 4; i++)
        out[i] = v[i][best];
}

static void rotation_matrix(double m[3][3], const double q[4])
{
    double w = q[0], x = q[1], y = q[2], z = q[3];
    double rows[3][3] = {{w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)},
                         {2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)},
                         {2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z}};
    memcpy(m, rows, sizeof rows);
}

static void find_centroids(similarity *t, const float mesh[][3], const float rest[][3])
{
    for (int axis = 0; axis < 3; axis++) {
        t->from[axis] = t->to[axis] = 0;
        for (int i = 0; i < SONIC_LIPSYNC_RIGID_POINTS; i++) {
            t->from[axis] += mesh[sonic_lipsync_rigid_point[i]][axis] / (double)SONIC_LIPSYNC_RIGID_POINTS;
            t->to[axis] += rest[i][axis] / (double)SONIC_LIPSYNC_RIGID_POINTS;
        }
    }
}

/* m[from][to]: cross-covariance of the centred points, unnormalised. Returns the mesh's sum of squares. */
static double cross_covariance(double m[3][3], const similarity *t, const float mesh[][3], const float rest[][3])
{
    double squares = 0;
    memset(m, 0, 9 * sizeof(double));
    for (int i = 0; i < SONIC_LIPSYNC_RIGID_POINTS; i++)
        for (int a = 0; a < 3; a++) {
            double x = mesh[sonic_lipsync_rigid_point[i]][a] - t->from[a];
            squares += x * x;
            for (int b = 0; b < 3; b++)
                m[a][b] += x * (rest[i][b] - t->to[b]);
        }
    return squares;
}

static int align(similarity *t, const float mesh[][3], const float rest[][3])
{
    double s[3][3], q[4];
    find_centroids(t, mesh, rest);
    double squares = cross_covariance(s, t, mesh, rest);
    if (!(squares > 1e-12) || !isfinite(squares))
        return 0;
    double n[4][4] = {{s[0][0] + s[1][1] + s[2][2], s[1][2] - s[2][1], s[2][0] - s[0][2], s[0][1] - s[1][0]},
                      {s[1][2] - s[2][1], s[0][0] - s[1][1] - s[2][2], s[0][1] + s[1][0], s[2][0] + s[0][2]},
                      {s[2][0] - s[0][2], s[0][1] + s[1][0], -s[0][0] + s[1][1] - s[2][2], s[1][2] + s[2][1]},
                      {s[0][1] - s[1][0], s[2][0] + s[0][2], s[1][2] + s[2][1], -s[0][0] - s[1][1] + s[2][2]}};
    largest_eigenvector(q, n);
    rotation_matrix(t->matrix, q);
    double along = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            along += t->matrix[b][a] * s[a][b];
    t->scale = along / squares;
    return t->scale > 0;
}

static double distance(const float a[3], const float b[3])
{
    double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return sqrt(x * x + y * y + z * z);
}

/* Mean gap between the inner contours of the lips at their middle and on both sides of it, in pixels. */
static double lip_gap(const float mesh[][3])
{
    return (distance(mesh[SONIC_LANDMARK_LIP_UPPER], mesh[SONIC_LANDMARK_LIP_LOWER]) + distance(mesh[82], mesh[87]) +
            distance(mesh[312], mesh[317])) /
           3;
}

int sonic_lipsync_mouth(float out[SONIC_LIPSYNC_MOUTH_VALUES], const float mesh[SONIC_MESH_POINTS][3],
                        const float rest[SONIC_LIPSYNC_RIGID_POINTS][3])
{
    similarity t;
    if (!align(&t, mesh, rest)) {
        for (int i = 0; i < SONIC_LIPSYNC_MOUTH_VALUES; i++)
            out[i] = NAN;
        return 0;
    }
    for (int i = 0; i < SONIC_LIPSYNC_MOUTH_POINTS; i++)
        for (int axis = 0; axis < 2; axis++) {
            double sum = t.to[axis];
            for (int k = 0; k < 3; k++)
                sum += t.scale * t.matrix[axis][k] * (mesh[mouth_point[i]][k] - t.from[k]);
            out[i * 2 + axis] = (float)sum;
        }
    out[SONIC_LIPSYNC_MOUTH_VALUES - 1] = (float)log(t.scale * lip_gap(mesh) + CLOSED_GAP);
    return 1;
}
