# Stan's part of benchmarks/snapshot.py.
#
#     Rscript snapshot_peer.R compile|sample FOLDER PROGRAM [CHAINS TUNE DRAWS]
#
# FOLDER holds data.R and points.R; what is found is written there, numbers as binary doubles.

given <- commandArgs(trailingOnly = TRUE)
stage <- given[1]
folder <- given[2]
suppressPackageStartupMessages(library(rstan))

inside <- function(name) file.path(folder, name)
write_numbers <- function(x, name) writeBin(as.vector(x, "double"), inside(name))
seconds <- function(expression) system.time(expression)[["elapsed"]]

data <- new.env()
source(inside("data.R"), local = data)
data <- as.list(data)

if (stage == "compile") {
  # Debian keeps Boost's headers with the system's, not in R's package of them
  boost <- if (nzchar(system.file("include", package = "BH"))) NULL else "/usr/include"
  took <- seconds(model <- stan_model(given[3], boost_lib = boost))
  saveRDS(model, inside("model.rds"))
  fit <- sampling(model, data = data, chains = 0, refresh = 0)
  source(inside("points.R"))  # points: one row each
  at <- apply(points, 1, function(x) log_prob(fit, x))
  slopes <- apply(points, 1, function(x) grad_log_prob(fit, x))  # one column each
  times <- 200
  one <- seconds(for (i in 1:times) grad_log_prob(fit, points[1, ])) / times
  write_numbers(c(took, one), "seconds.bin")
  write_numbers(at, "values.bin")
  write_numbers(slopes, "slopes.bin")
} else {
  took <- seconds(model <- readRDS(inside("model.rds")))
  size <- as.integer(given[4:6])
  chains <- size[1]
  tune <- size[2]
  # by the clock on the wall: what Stan itself reports is processor time
  sampling_took <- seconds(
    fit <- sampling(model, data = data, chains = chains, warmup = tune, iter = tune + size[3],
                    cores = chains, seed = 1, refresh = 0)
  )
  draws <- as.array(fit)  # draw, chain, parameter and the log density
  stats <- get_sampler_params(fit, inc_warmup = FALSE)
  steps <- sapply(stats, function(x) mean(x[, "n_leapfrog__"]))
  diverged <- sapply(stats, function(x) sum(x[, "divergent__"]))
  write_numbers(c(took, sampling_took, mean(steps), sum(diverged)), "run.bin")
  write_numbers(draws[, , -dim(draws)[3]], "draws.bin")
}
