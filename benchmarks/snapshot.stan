// The snapshot model: departures, flows and trips year by year, respondents in distinct cells.
// Years count from 1; a sojourn of j years that departs in d ends in d + j - 1.
functions {
  // Shares of the years: log-quadratic, with a random walk about it.
  vector departures(matrix powers, vector trend, real step, vector noise) {
    vector[rows(powers)] walk = append_row(0, cumulative_sum(noise));
    return softmax(powers * trend + step * (walk - mean(walk)));
  }
  // Probability of each length of stay: a random walk in log years, and one long class.
  vector sojourns(vector log_steps, int years, real long_share, real slope, real step,
                  vector noise) {
    int single = rows(noise) + 1;
    vector[single] walk = append_row(0, cumulative_sum((step * noise - slope) .* log_steps));
    return append_row((1 - long_share) * softmax(walk),
                      rep_vector(long_share / (years - single), years - single));
  }
}
data {
  int years;
  int single_years;
  int knots;
  matrix[years, 2] powers;
  vector[single_years - 1] log_steps;
  vector[knots] knot_steps;
  matrix[years, knots + 1] knot_weights;
  // answers: single trips and repeat trips, each distinct one with its count
  int singles;
  int<lower=1> single_survey[singles];
  int<lower=1> single_departure[singles];
  int<lower=1> single_sojourn[singles];
  vector[singles] single_count;
  int repeats;
  int<lower=1> repeat_survey[repeats];
  int<lower=1> repeat_departure[repeats];
  int<lower=1> repeat_sojourn[repeats];
  vector[repeats] repeat_count;
  vector[years] respondents;
  // mean trips of each survey's respondents
  int surveys;
  int<lower=1> trips_survey[surveys];
  vector[surveys] trips_mean;
  vector[surveys] trips_error;
  // numbers of the priors
  real solitary_share_alpha;
  real solitary_share_beta;
  real retirement_prob_alpha;
  real retirement_prob_beta;
  real solitary_departures_trend_mu;
  real solitary_departures_trend_sigma;
  real solitary_departures_step_mu;
  real solitary_departures_step_sigma;
  real rookie_departures_trend_mu;
  real rookie_departures_trend_sigma;
  real rookie_departures_step_mu;
  real rookie_departures_step_sigma;
  real solitary_sojourn_long_alpha;
  real solitary_sojourn_long_beta;
  real solitary_sojourn_slope_mu;
  real solitary_sojourn_slope_sigma;
  real solitary_sojourn_step_mu;
  real solitary_sojourn_step_sigma;
  real circular_sojourn_long_alpha;
  real circular_sojourn_long_beta;
  real circular_sojourn_slope_mu;
  real circular_sojourn_slope_sigma;
  real circular_sojourn_step_mu;
  real circular_sojourn_step_sigma;
  real repeat_start_mu;
  real repeat_start_sigma;
  real repeat_step_mu;
  real repeat_step_sigma;
}
transformed data {
  int backwards[years];
  for (t in 1:years) backwards[t] = years + 1 - t;
}
parameters {
  real<lower=0, upper=1> solitary_share;
  real<lower=0, upper=1> retirement_prob;
  vector[2] solitary_departures_trend;
  real<lower=0> solitary_departures_step;
  vector[years - 1] solitary_departures_noise;
  real<lower=0, upper=1> solitary_sojourn_long;
  real solitary_sojourn_slope;
  real<lower=0> solitary_sojourn_step;
  vector[single_years - 1] solitary_sojourn_noise;
  real<lower=0, upper=1> circular_sojourn_long;
  real circular_sojourn_slope;
  real<lower=0> circular_sojourn_step;
  vector[single_years - 1] circular_sojourn_noise;
  vector[2] rookie_departures_trend;
  real<lower=0> rookie_departures_step;
  vector[years - 1] rookie_departures_noise;
  real repeat_start;
  real<lower=0> repeat_step;
  vector[knots] repeat_noise;
}
model {
  real q = retirement_prob;
  vector[years] solitary = solitary_share * departures(
    powers, solitary_departures_trend, solitary_departures_step, solitary_departures_noise);
  vector[years] rookies = (1 - solitary_share) * departures(
    powers, rookie_departures_trend, rookie_departures_step, rookie_departures_noise);
  vector[years] solitary_stay = sojourns(log_steps, years, solitary_sojourn_long,
    solitary_sojourn_slope, solitary_sojourn_step, solitary_sojourn_noise);
  vector[years] circular_stay = sojourns(log_steps, years, circular_sojourn_long,
    circular_sojourn_slope, circular_sojourn_step, circular_sojourn_noise);
  vector[years] solitary_ago = solitary_stay[backwards];
  vector[years] circular_ago = circular_stay[backwards];
  vector[years] rho = inv_logit(knot_weights * (repeat_start + append_row(0,
    cumulative_sum(repeat_step * sqrt(knot_steps) .* repeat_noise))));
  vector[years] stayed;         // nobody leaves again from the second year to this one
  vector[years] repeaters;      // R
  vector[years] left;           // C
  vector[years] carried;        // trips to date of those who leave
  vector[years] home;           // sigma
  vector[years] trips_at_home;  // eq. 38
  real solitary_home = 0;
  real active = 0;              // M
  real retired = 0;             // Q
  real active_trips = 0;
  real retired_trips = 0;
  for (t in 1:years) {
    real returned;
    real trips_returned;
    repeaters[t] = t == 1 ? 0 : rho[t] * active;
    left[t] = rookies[t] + repeaters[t];
    carried[t] = left[t] + (t == 1 ? 0 : rho[t] * active_trips);
    returned = dot_product(head(left, t), tail(circular_ago, t));
    trips_returned = dot_product(head(carried, t), tail(circular_ago, t));
    active = active - repeaters[t] + (1 - q) * returned;
    active_trips = (t == 1 ? 0 : (1 - rho[t]) * active_trips) + (1 - q) * trips_returned;
    retired += q * returned;
    retired_trips += q * trips_returned;
    solitary_home += dot_product(head(solitary, t), tail(solitary_ago, t));
    home[t] = solitary_home + active + retired;
    trips_at_home[t] = (solitary_home + active_trips + retired_trips) / home[t];
    stayed[t] = t == 1 ? 1 : stayed[t - 1] * (1 - rho[t]);
  }

  // answers (eqs. 22-32)
  for (i in 1:singles) {
    int d = single_departure[i];
    int j = single_sojourn[i];
    real stays = q + (1 - q) * stayed[single_survey[i]] / stayed[d + j - 1];
    target += single_count[i]
      * log(solitary[d] * solitary_stay[j] + rookies[d] * circular_stay[j] * stays);
  }
  for (i in 1:repeats) {
    int d = repeat_departure[i];
    int j = repeat_sojourn[i];
    real stays = q + (1 - q) * stayed[repeat_survey[i]] / stayed[d + j - 1];
    target += repeat_count[i] * log(repeaters[d] * circular_stay[j] * stays);
  }
  target += -dot_product(respondents, log(home));
  // mean trips (eq. 39)
  trips_mean ~ normal(trips_at_home[trips_survey], trips_error);

  solitary_share ~ beta(solitary_share_alpha, solitary_share_beta);
  retirement_prob ~ beta(retirement_prob_alpha, retirement_prob_beta);
  solitary_departures_trend ~ normal(solitary_departures_trend_mu,
                                     solitary_departures_trend_sigma);
  solitary_departures_step ~ lognormal(solitary_departures_step_mu,
                                       solitary_departures_step_sigma);
  solitary_departures_noise ~ std_normal();
  rookie_departures_trend ~ normal(rookie_departures_trend_mu, rookie_departures_trend_sigma);
  rookie_departures_step ~ lognormal(rookie_departures_step_mu, rookie_departures_step_sigma);
  rookie_departures_noise ~ std_normal();
  solitary_sojourn_long ~ beta(solitary_sojourn_long_alpha, solitary_sojourn_long_beta);
  solitary_sojourn_slope ~ normal(solitary_sojourn_slope_mu, solitary_sojourn_slope_sigma);
  solitary_sojourn_step ~ lognormal(solitary_sojourn_step_mu, solitary_sojourn_step_sigma);
  solitary_sojourn_noise ~ std_normal();
  circular_sojourn_long ~ beta(circular_sojourn_long_alpha, circular_sojourn_long_beta);
  circular_sojourn_slope ~ normal(circular_sojourn_slope_mu, circular_sojourn_slope_sigma);
  circular_sojourn_step ~ lognormal(circular_sojourn_step_mu, circular_sojourn_step_sigma);
  circular_sojourn_noise ~ std_normal();
  repeat_start ~ normal(repeat_start_mu, repeat_start_sigma);
  repeat_step ~ lognormal(repeat_step_mu, repeat_step_sigma);
  repeat_noise ~ std_normal();
}
