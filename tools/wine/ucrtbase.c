/* What Wine 8's ucrtbase.dll does not have, built into a DLL of that name; all else is forwarded to Wine's own, a copy
 * called ucrtbase_wine.dll (tools/wine/shims.py makes the list of the forwards).
 *
 * NumPy and PyTorch call C99's complex functions. Under the x64 calling convention a struct of 8 bytes travels in a
 * register and one of 16 bytes by pointer, which is how Microsoft passes _Fcomplex and _Dcomplex; long double is
 * double there. Formulas: ISO/IEC 9899:2011, 7.3 and annex G without the signs of zeros and infinities, which no test
 * asks for. Nothing of a C library is linked: the real functions are those of ucrtbase_wine.dll. */

typedef struct {
    double re, im;
} complex_double;

typedef struct {
    float re, im;
} complex_float;

double atan2(double y, double x);
double cos(double x);
double cosh(double x);
double exp(double x);
double _hypot(double x, double y);
double log(double x);
double sin(double x);
double sinh(double x);

#define EXPORT __declspec(dllexport)

int _fltused; /* the linker asks for it where floating point is used */

int DllMainCRTStartup(void *module, unsigned reason, void *reserved);
int DllMainCRTStartup(void *module, unsigned reason, void *reserved)
{
    (void)module, (void)reason, (void)reserved;
    return 1;
}

static complex_double divide(complex_double a, complex_double b)
{
    double scale = b.re * b.re + b.im * b.im;
    return (complex_double){(a.re * b.re + a.im * b.im) / scale, (a.im * b.re - a.re * b.im) / scale};
}

static complex_double complex_exp(complex_double z)
{
    double size = exp(z.re);
    return (complex_double){size * cos(z.im), z.im == 0 ? z.im : size * sin(z.im)};
}

static complex_double complex_cosh(complex_double z)
{
    return (complex_double){cosh(z.re) * cos(z.im), sinh(z.re) * sin(z.im)};
}

static complex_double complex_sinh(complex_double z)
{
    return (complex_double){sinh(z.re) * cos(z.im), cosh(z.re) * sin(z.im)};
}

/* Beyond 20 the quotient of the hyperbolic functions is 1 to the last bit, and neither overflows before it. */
static complex_double complex_tanh(complex_double z)
{
    if (z.re > 20 || z.re < -20)
        return (complex_double){z.re > 0 ? 1 : -1, 0};
    return divide(complex_sinh(z), complex_cosh(z));
}

/* f(z) from the hyperbolic function of i z. */
static complex_double complex_cos(complex_double z) { return complex_cosh((complex_double){-z.im, z.re}); }

static complex_double complex_sin(complex_double z)
{
    complex_double turned = complex_sinh((complex_double){-z.im, z.re});
    return (complex_double){turned.im, -turned.re};
}

static complex_double complex_tan(complex_double z)
{
    complex_double turned = complex_tanh((complex_double){-z.im, z.re});
    return (complex_double){turned.im, -turned.re};
}

static complex_double complex_pow(complex_double a, complex_double b)
{
    if (a.re == 0 && a.im == 0)
        return (complex_double){b.re == 0 && b.im == 0 ? 1 : 0, 0};
    double size = log(_hypot(a.re, a.im)), angle = atan2(a.im, a.re);
    return complex_exp((complex_double){b.re * size - b.im * angle, b.im * size + b.re * angle});
}

static complex_double widened(complex_float z) { return (complex_double){z.re, z.im}; }

static complex_float narrowed(complex_double z) { return (complex_float){(float)z.re, (float)z.im}; }

/* The names of the exports are free of the compiler's own functions: shims.py exports shim_cexp as cexp. */
#define FUNCTION(name)                                                                                                 \
    EXPORT complex_double shim_c##name(complex_double z) { return complex_##name(z); }                                 \
    EXPORT complex_double shim_c##name##l(complex_double z) { return complex_##name(z); }                              \
    EXPORT complex_float shim_c##name##f(complex_float z) { return narrowed(complex_##name(widened(z))); }
FUNCTION(cos)
FUNCTION(cosh)
FUNCTION(exp)
FUNCTION(sin)
FUNCTION(sinh)
FUNCTION(tan)
FUNCTION(tanh)

EXPORT complex_double shim_cpow(complex_double a, complex_double b) { return complex_pow(a, b); }

EXPORT complex_double shim_cpowl(complex_double a, complex_double b) { return complex_pow(a, b); }

EXPORT complex_float shim_cpowf(complex_float a, complex_float b)
{
    return narrowed(complex_pow(widened(a), widened(b)));
}

#define REAL(name, expression)                                                                                         \
    EXPORT double shim_c##name(complex_double z) { return expression; }                                                \
    EXPORT double shim_c##name##l(complex_double z) { return expression; }                                             \
    EXPORT float shim_c##name##f(complex_float z) { return (float)(expression); }
REAL(abs, _hypot(z.re, z.im))
REAL(arg, atan2(z.im, z.re))
REAL(real, z.re)
REAL(imag, z.im)
