"""The sets that minidil knows by name: their files, down to the checksum, and where they are published."""

from dataclasses import dataclass

from minidil.errors import OptionError


@dataclass(frozen=True)
class Member:
    """One file inside a tar archive: its size in bytes, and the SHA-1 of its content. None is not checked."""

    name: str
    size: int | None = None
    sha1: str | None = None


@dataclass(frozen=True)
class File:
    """One file of a set. Whichever of packed, unpacked and members is given is what its bytes are held against.

    size: bytes of the published file, only to tell people how much they fetch. packed: checksum of the file as it
    lies on the disk; unpacked: checksum of what its gzip holds, so that a repacked file is as good; members: what its
    tar archive must hold. Checksums are written "algorithm:hex". mirrors are complete addresses in the order in which
    they are tried. absent: what to do about a file that is not there and has none.
    """

    name: str
    size: int
    mirrors: tuple[str, ...] = ()
    packed: str | None = None
    unpacked: str | None = None
    members: tuple[Member, ...] = ()
    absent: str = "it belongs to the installation; install minidil again"


@dataclass(frozen=True)
class Source:
    """A named set. folder: its usual place below the data root; an embedded set travels inside the package instead.

    kinds: what its items have: "images", a class for every image; "masks", one for every pixel.
    """

    name: str
    title: str
    files: tuple[File, ...]
    folder: str = ""
    embedded: bool = False
    origin: str = ""
    licence: str = "none stated by the authors"
    kinds: tuple[str, ...] = ("images",)


def _cifar(file: str, size: int, members: tuple[Member, ...]) -> File:
    hosts = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
    return File(file, size, mirrors=tuple(host + file for host in hosts), members=members)


def _mnist(name: str, size: int, md5: str) -> File:
    hosts = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
    return File(name, size, mirrors=tuple(host + name for host in hosts), unpacked=f"md5:{md5}")


def _fashion(name: str, size: int, md5: str) -> File:
    # The second host, an S3 web site, speaks plain http alone; the checksum is what makes its bytes trustworthy.
    hosts = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    return File(name, size, mirrors=tuple(host + name for host in hosts), packed=f"md5:{md5}")


DIGITS = Source(
    name="digits",
    title="UCI optical digits, 8x8",
    files=(
        File("digits.npz", 46_101, packed="sha256:2f6dad15d70c08f232185110fcd73cdc100cd3b95c90c573d22c64de37a6a1a6"),
    ),
    embedded=True,
    origin="Alpaydin and Kaynak 1998, UCI Machine Learning Repository, doi:10.24432/C50P49",
    licence="CC BY 4.0",
)

MNIST = Source(
    name="mnist",
    title="MNIST handwritten digits, 28x28",
    files=(
        _mnist("train-images-idx3-ubyte.gz", 9_912_422, "6bbc9ace898e44ae57da46a324031adb"),
        _mnist("train-labels-idx1-ubyte.gz", 28_881, "a25bea736e30d166cdddb491f175f624"),
        _mnist("t10k-images-idx3-ubyte.gz", 1_648_877, "2646ac647ad5339dbf082846283269ea"),
        _mnist("t10k-labels-idx1-ubyte.gz", 4_542, "27ae3e4e09519cfbb04c329615203637"),
    ),
    folder="mnist",
    origin="LeCun, Cortes and Burges 1998, yann.lecun.com/exdb/mnist",
    licence="CC BY-SA 3.0 as commonly listed",
)

FASHION_MNIST = Source(
    name="fashion_mnist",
    title="Fashion-MNIST clothing, 28x28",
    files=(
        _fashion("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        _fashion("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        _fashion("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        _fashion("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    folder="fashion-mnist",
    origin="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
    licence="MIT",
)

CIFAR10 = Source(
    name="cifar10",
    title="CIFAR-10 photographs, 32x32, 10 classes",
    files=(
        _cifar(
            "cifar-10-binary.tar.gz",
            170_052_171,
            (
                Member("cifar-10-batches-bin/data_batch_1.bin", 30_730_000, "aadd24acce27caa71bf4b10992e9e7b2d74c2540"),
                Member("cifar-10-batches-bin/data_batch_2.bin", 30_730_000, "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795"),
                Member("cifar-10-batches-bin/data_batch_3.bin", 30_730_000, "1dd00a74ab1d17a6e7d73e185b69dbf31242f295"),
                Member("cifar-10-batches-bin/data_batch_4.bin", 30_730_000, "aab85764eb3584312d3c7f65fd2fd016e36a258e"),
                Member("cifar-10-batches-bin/data_batch_5.bin", 30_730_000, "26e2849e66a845b7f1e4614ae70f4889ae604628"),
                Member("cifar-10-batches-bin/test_batch.bin", 30_730_000, "67eb016db431130d61cd03c7ad570b013799c88c"),
                Member("cifar-10-batches-bin/batches.meta.txt", 61, "0bd38742f1e9325cbd6717d686c45e107fea48dd"),
            ),
        ),
    ),
    origin="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, cs.toronto.edu/~kriz/cifar.html",
)

CIFAR100 = Source(
    name="cifar100",
    title="CIFAR-100 photographs, 32x32, 100 classes in 20 groups",
    files=(
        _cifar(
            "cifar-100-binary.tar.gz",
            168_513_733,
            (
                Member("cifar-100-binary/train.bin", 153_700_000, "e207cd2e05b73b1393c74c7f5e7bea451d63e08e"),
                Member("cifar-100-binary/test.bin", 30_740_000, "8fb6623e830365ff53cf14adec797474f5478006"),
            ),
        ),
    ),
    origin="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, cs.toronto.edu/~kriz/cifar.html",
)

NUCLEI = Source(
    name="nuclei",
    title="cell nuclei under the microscope, 128x128, with masks",
    files=(
        File(
            "nuclei128.npz",
            8_340_880,
            packed="sha256:0602b9ea5940745064eae364b84be46d3ddea791bd76cfacf06e46ea0f8c8304",
            absent="datasets/nuclei.md tells how it is made; put it there",
        ),
    ),
    origin="Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7, BBBC038v1; packed as datasets/nuclei.md tells",
    licence="CC0",
    kinds=("masks",),
)

SOURCES = {source.name: source for source in (DIGITS, MNIST, FASHION_MNIST, CIFAR10, CIFAR100, NUCLEI)}
NAMES = tuple(SOURCES)


def source(name: str) -> Source:
    """The set called `name`. Raises OptionError that lists the names there are."""
    if name not in SOURCES:
        raise OptionError(f"data: there is no set called {name!r}; choose from {', '.join(NAMES)}")
    return SOURCES[name]
