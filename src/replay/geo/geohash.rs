//! Places as the servers hash them: 52 bits, of longitude and latitude by turns.
//!
//! Every result goes into a score or decides whether a member is in one, so that the order of each
//! operation on doubles is the servers' (`geohash.c`, `geohash_helper.c`).

/// A longitude and a latitude in degrees.
pub(super) type Place = [f64; 2];

/// Bits of each of the two in a score.
pub(super) const STEP: u32 = 26;

/// What longitudes and latitudes a command may say.
pub(super) const LONGITUDES: (f64, f64) = (-180.0, 180.0);
pub(super) const LATITUDES: (f64, f64) = (-85.051_128_78, 85.051_128_78);

/// Metres; the mean radius of the earth as the servers have it.
const EARTH_RADIUS: f64 = 6_372_797.560856;
const MERCATOR_MAX: f64 = 20_037_726.37;
const DEGREE: f64 = std::f64::consts::PI / 180.0;

const EVEN: u64 = 0x5555_5555_5555_5555;
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

#[inline]
fn to_radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

#[inline]
fn to_degrees(radians: f64) -> f64 {
    radians / DEGREE
}

/// A cell of the grid: how finely the earth is halved, and which cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) bits: u64,
    pub(super) step: u32,
}

impl Cell {
    /// The cell of a place.
    pub(super) fn of(place: Place, step: u32) -> Cell {
        Cell::within(place, step, LATITUDES)
    }

    /// The same with other latitudes for the edges of the grid.
    pub(super) fn within(place: Place, step: u32, latitudes: (f64, f64)) -> Cell {
        let [longitude, latitude] = place;
        let offset = |value: f64, (min, max): (f64, f64)| {
            let offset = (value - min) / (max - min);
            (offset * (1u64 << step) as f64) as u64 as u32
        };
        let (x, y) = (offset(latitude, latitudes), offset(longitude, LONGITUDES));
        Cell {
            bits: spread(x) | spread(y) << 1,
            step,
        }
    }

    /// No cell: left out of a search.
    pub(super) fn is_none(self) -> bool {
        self == Cell::default()
    }

    /// The least score of the cell, and the least beyond it.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEP - self.step);
        (
            (self.bits << shift) as f64,
            ((self.bits + 1) << shift) as f64,
        )
    }

    /// Its edges.
    pub(super) fn area(self) -> Area {
        let (x, y) = (gather(self.bits), gather(self.bits >> 1));
        let cells = (1u64 << self.step) as f64;
        let edge = |n: u32, (min, max): (f64, f64)| min + (f64::from(n) / cells) * (max - min);
        Area {
            longitude: (edge(y, LONGITUDES), edge(y.wrapping_add(1), LONGITUDES)),
            latitude: (edge(x, LATITUDES), edge(x.wrapping_add(1), LATITUDES)),
        }
    }

    /// The cell to the east (1) or west (-1), and to the north or south of it.
    pub(super) fn moved(self, east: i8, north: i8) -> Cell {
        let unused = 64 - 2 * self.step;
        let (mut x, mut y) = (self.bits & ODD, self.bits & EVEN);
        if east != 0 {
            let fill = EVEN >> unused;
            x = match east > 0 {
                true => x.wrapping_add(fill + 1),
                false => (x | fill).wrapping_sub(fill + 1),
            };
            x &= ODD >> unused;
        }
        if north != 0 {
            let fill = ODD >> unused;
            y = match north > 0 {
                true => y.wrapping_add(fill.wrapping_add(1)),
                false => (y | fill).wrapping_sub(fill.wrapping_add(1)),
            };
            y &= EVEN >> unused;
        }
        Cell {
            bits: x | y,
            step: self.step,
        }
    }
}

/// Edges of a cell, each the lower and the upper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) longitude: (f64, f64),
    pub(super) latitude: (f64, f64),
}

/// The score of a place.
pub(super) fn score(place: Place) -> f64 {
    Cell::of(place, STEP).bits as f64
}

/// The place that a score stands for: the middle of its cell. Any score has one.
pub(super) fn place(score: f64) -> Place {
    let cell = Cell {
        bits: to_bits(score),
        step: STEP,
    };
    let area = cell.area();
    let middle = |(min, max): (f64, f64), (least, most): (f64, f64)| {
        let middle = (min + max) / 2.0;
        if middle > most {
            most
        } else if middle < least {
            least
        } else {
            middle
        }
    };
    [
        middle(area.longitude, LONGITUDES),
        middle(area.latitude, LATITUDES),
    ]
}

/// The integer that C on a 64-bit PC makes of a double, negative and too large ones included.
fn to_bits(score: f64) -> u64 {
    const HIGH: f64 = (1u64 << 63) as f64;
    let signed = |value: f64| {
        let fits = value > -HIGH - 1.0 && value < HIGH;
        if fits { value as i64 } else { i64::MIN }
    };
    if score >= HIGH {
        signed(score - HIGH) as u64 ^ 1 << 63
    } else {
        signed(score) as u64
    }
}

/// Puts a zero between any two bits.
fn spread(n: u32) -> u64 {
    let mut n = u64::from(n);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN),
    ] {
        n = (n | n << shift) & mask;
    }
    n
}

/// Takes every second bit.
fn gather(n: u64) -> u32 {
    let mut n = n & EVEN;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        n = (n | n >> shift) & mask;
    }
    n as u32
}

/// How the servers of a version measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Redis 6.2: by the whole formula always.
    Plain,
    /// Since 7.0: along a meridian without it.
    Meridian,
    /// Since Valkey 9: also where the meridians are as good as one.
    NearMeridian,
}

impl Measure {
    /// Metres between two places on the great circle.
    pub(super) fn distance(self, one: Place, other: Place) -> f64 {
        let ([lon1, lat1], [lon2, lat2]) = (one, other);
        let v = ((to_radians(lon2) - to_radians(lon1)) / 2.0).sin();
        let one_meridian = match self {
            Measure::Plain => false,
            Measure::Meridian => v == 0.0,
            Measure::NearMeridian => v.abs() <= 1e-15,
        };
        if one_meridian {
            return along_meridian(lat1, lat2);
        }
        let (lat1, lat2) = (to_radians(lat1), to_radians(lat2));
        let u = ((lat2 - lat1) / 2.0).sin();
        let a = u * u + lat1.cos() * lat2.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }
}

fn along_meridian(lat1: f64, lat2: f64) -> f64 {
    EARTH_RADIUS * (to_radians(lat2) - to_radians(lat1)).abs()
}

/// Where members are searched.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// As far from the centre as this.
    Circle { radius: f64 },
    /// This wide and high, about the centre.
    Box { width: f64, height: f64 },
    /// Between these corners.
    Polygon(Vec<Place>),
}

/// A search: its shape about its centre, in a unit.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) shape: Shape,
    pub(super) centre: Place,
    /// Metres of the unit.
    pub(super) unit: f64,
    pub(super) measure: Measure,
}

/// Least longitude, least latitude, most longitude, most latitude.
type Bounds = [f64; 4];

impl Search {
    /// The distance of a place from the centre, where the place is within the shape.
    pub(super) fn reach(&self, place: Place) -> Option<f64> {
        let measure = self.measure;
        let [lon, lat] = self.centre;
        match &self.shape {
            Shape::Circle { radius } => {
                let distance = measure.distance(self.centre, place);
                let beyond = distance > radius * self.unit;
                (!beyond).then_some(distance)
            }
            Shape::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                let north = match measure {
                    Measure::Plain => measure.distance(place, [place[0], lat]),
                    _ => along_meridian(place[1], lat),
                };
                let east = || measure.distance(place, [lon, place[1]]);
                if north > height / 2.0 || east() > width / 2.0 {
                    return None;
                }
                Some(measure.distance(self.centre, place))
            }
            Shape::Polygon(corners) => {
                inside(corners, place).then(|| measure.distance(self.centre, place))
            }
        }
    }

    /// The cells that cover the shape: its own, then those around it.
    pub(super) fn cells(&mut self) -> [Cell; 9] {
        let bounds = self.bounds();
        let [min_lon, min_lat, max_lon, max_lat] = bounds;
        let radius = self.radius(bounds);
        let mut step = estimate(radius, self.centre[1]);
        let mut own = Cell::of(self.centre, step);
        if step > 1 && self.is_too_fine(own, bounds, radius) {
            step -= 1;
            own = Cell::of(self.centre, step);
        }
        let mut cells = [
            own,
            own.moved(0, 1),
            own.moved(0, -1),
            own.moved(1, 0),
            own.moved(-1, 0),
            own.moved(1, 1),
            own.moved(-1, 1),
            own.moved(1, -1),
            own.moved(-1, -1),
        ];
        if step >= 2 {
            let area = own.area();
            let mut leave = |out: bool, which: [usize; 3]| {
                if out {
                    which.iter().for_each(|n| cells[*n] = Cell::default());
                }
            };
            leave(area.latitude.0 < min_lat, [2, 8, 7]);
            leave(area.latitude.1 > max_lat, [1, 5, 6]);
            leave(area.longitude.0 < min_lon, [4, 8, 6]);
            leave(area.longitude.1 > max_lon, [3, 7, 5]);
        }
        cells
    }

    /// Whether the cells around do not reach as far as the shape.
    fn is_too_fine(&self, own: Cell, bounds: Bounds, radius: f64) -> bool {
        let [min_lon, min_lat, max_lon, max_lat] = bounds;
        let north = own.moved(0, 1).area().latitude.1;
        let south = own.moved(0, -1).area().latitude.0;
        let east = own.moved(1, 0).area().longitude.1;
        let west = own.moved(-1, 0).area().longitude.0;
        match self.measure {
            Measure::Plain => {
                let [lon, lat] = self.centre;
                let near = |place| self.measure.distance(self.centre, place) < radius;
                near([lon, north]) || near([lon, south]) || near([east, lat]) || near([west, lat])
            }
            _ => north < max_lat || south > min_lat || east < max_lon || west > min_lon,
        }
    }

    /// Metres from the centre that the shape goes.
    fn radius(&self, bounds: Bounds) -> f64 {
        let radius = match &self.shape {
            Shape::Circle { radius } => *radius,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
            Shape::Polygon(_) => {
                let [min_lon, min_lat, max_lon, max_lat] = bounds;
                let mut most = self.measure.distance(self.centre, [min_lon, max_lat]);
                for corner in [[max_lon, max_lat], [min_lon, min_lat], [max_lon, min_lat]] {
                    let distance = self.measure.distance(self.centre, corner);
                    if distance > most {
                        most = distance;
                    }
                }
                most
            }
        };
        radius * self.unit
    }

    /// The box about the shape. The centre of a polygon comes of its corners.
    fn bounds(&mut self) -> Bounds {
        let (height, width) = match &self.shape {
            Shape::Circle { radius } => (self.unit * radius, self.unit * radius),
            Shape::Box { width, height } => (self.unit * (height / 2.0), self.unit * (width / 2.0)),
            Shape::Polygon(corners) => {
                self.centre = centre(corners);
                return about(corners);
            }
        };
        let [longitude, latitude] = self.centre;
        let high = to_degrees(height / EARTH_RADIUS);
        let wide = |latitude: f64| to_degrees(width / EARTH_RADIUS / to_radians(latitude).cos());
        // Meridians lie closer towards the poles.
        let wide = match latitude < 0.0 {
            true => wide(latitude - high),
            false => wide(latitude + high),
        };
        [
            longitude - wide,
            latitude - high,
            longitude + wide,
            latitude + high,
        ]
    }
}

/// The halvings at which nine cells cover a radius, for the most part.
fn estimate(radius: f64, latitude: f64) -> u32 {
    if radius == 0.0 {
        return STEP;
    }
    let (mut radius, mut step) = (radius, 1i32);
    while radius < MERCATOR_MAX {
        radius *= 2.0;
        step += 1;
    }
    step -= 2;
    if !(-66.0..=66.0).contains(&latitude) {
        step -= 1;
        if !(-80.0..=80.0).contains(&latitude) {
            step -= 1;
        }
    }
    step.clamp(1, STEP as i32) as u32
}

fn about(corners: &[Place]) -> Bounds {
    let start = [LONGITUDES.1, LATITUDES.1, LONGITUDES.0, LATITUDES.0];
    corners.iter().fold(start, |bounds, [lon, lat]| {
        let [min_lon, min_lat, max_lon, max_lat] = bounds;
        [
            if *lon < min_lon { *lon } else { min_lon },
            if *lat < min_lat { *lat } else { min_lat },
            if *lon > max_lon { *lon } else { max_lon },
            if *lat > max_lat { *lat } else { max_lat },
        ]
    })
}

/// The middle of corners on the globe.
fn centre(corners: &[Place]) -> Place {
    let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
    for [lon, lat] in corners {
        let (lon, lat) = (to_radians(*lon), to_radians(*lat));
        x += lat.cos() * lon.cos();
        y += lat.cos() * lon.sin();
        z += lat.sin();
    }
    let level = f64::sqrt(x * x + y * y);
    [
        to_degrees(f64::atan2(y, x)),
        to_degrees(f64::atan2(z, level)),
    ]
}

/// Whether a ray from the place crosses an odd number of edges.
fn inside(corners: &[Place], place: Place) -> bool {
    let [lon, lat] = place;
    let mut before = corners.last().copied().unwrap_or_default();
    let mut inside = false;
    for corner in corners {
        let ([lon1, lat1], [lon2, lat2]) = (*corner, before);
        if (lat1 > lat) != (lat2 > lat) && lon < (lon2 - lon1) * (lat - lat1) / (lat2 - lat1) + lon1
        {
            inside = !inside;
        }
        before = *corner;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores and positions that Redis 7.0.15 gave.
    #[test]
    fn scores_are_the_servers() {
        assert_eq!(score([13.361389, 38.115556]), 3_479_099_956_230_698.0);
        assert_eq!(score([15.087269, 37.502669]), 3_479_447_370_796_909.0);
        assert_eq!(score([180.0, 85.0]), 10_508_398_856_570_128.0);
        let [lon, lat] = place(3_479_099_956_230_698.0);
        assert_eq!(format!("{lon:.17}"), "13.36138933897018433");
        assert_eq!(format!("{lat:.17}"), "38.11555639549629859");
    }

    #[test]
    fn any_score_has_a_place() {
        for score in [
            -1.0,
            0.0,
            -0.0,
            0.5,
            1e300,
            -1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            9_223_372_036_854_775_808.0,
            18_446_744_073_709_551_615.0,
        ] {
            let [lon, lat] = place(score);
            assert!((-180.0..=180.0).contains(&lon), "{score}");
            assert!((-85.06..=85.06).contains(&lat), "{score}");
        }
        assert_eq!(to_bits(-1.0), u64::MAX);
        assert_eq!(to_bits(f64::INFINITY), 0);
        assert_eq!(to_bits(f64::NEG_INFINITY), 1 << 63);
    }

    #[test]
    fn spreading_and_gathering_are_each_others_inverse() {
        for n in [0, 1, 2, 3, 0x1234_5678, u32::MAX, 1 << 26] {
            assert_eq!(gather(spread(n)), n);
        }
    }
}
